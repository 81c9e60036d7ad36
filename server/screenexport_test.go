package server

// SandboxScreeningOf is the fixed answer to an address.
var SandboxScreeningOf = sandboxScreening
