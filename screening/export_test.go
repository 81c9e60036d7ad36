package screening

// What the fuzz target needs of the codec.
var (
	AppendOps = appendOps
	ReadOps   = readOps
)
