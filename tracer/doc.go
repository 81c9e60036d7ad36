// Package tracer follows value through a snapshot of the index: exact replay
// under a chosen accounting rule, and the sheet that proves that nothing was
// lost on the way. It is pure: no I/O but the Index it is given, no clock, no
// randomness, and the same snapshot and request give the same trace.
package tracer
