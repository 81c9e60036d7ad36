// Package fetch follows money without a node: it asks services for the
// transactions and accounts that a trace touches, and for nothing else, and puts
// what they say into the index.
//
// A trace runs on what is held; where it ends for want of data, that is asked
// for, most money first, and the trace runs again, until nothing is missing or a
// budget is used up. Every answer goes into a log first (Log), so that a run that
// was cut off goes on without asking again, and so that every fact can be led
// back to source, time, request and the hash of what came.
//
// Everything is as of one block, the pin: the newest one when the run began. What
// lies near it may be replaced by a reorganisation; such answers hold for that
// pin alone, deeper ones for ever.
//
// Facts are what the services said, and are graded so. A list counts as whole
// only when it was read to its end, page by page, and never pays out more than
// came in.
package fetch
