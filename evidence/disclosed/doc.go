// Package disclosed lays what services answered about their customers' accounts
// over an index, so that a trace goes on through an account at an exchange as it
// does through one on a chain.
//
// The accounts of a service are a network of their own, service-ENTITY, whose
// addresses are what the service calls them. A deposit is a transfer into the
// account there, joined to the transaction on its chain by a notice under the
// same ref on both sides, as the two legs of a bridge are; a withdrawal the same
// the other way round. So every rule of the tracer, and of who recomputes it,
// holds there too. What is disclosed is attested by the service and by nobody else.
package disclosed
