// Package screening keeps what exchanges registered: transfers, withdrawal
// attempts, alerts with their history, watches and rule files, each of one
// tenant. It scores nothing and knows no wire; it says what is durable.
//
// What a call acknowledged survives a crash. Calls that come together share one
// durable write. A user's id is sealed under a key of that user alone; erasing
// the user destroys the key, and the chain of registrations still verifies.
package screening
