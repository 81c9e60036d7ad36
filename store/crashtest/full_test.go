package crashtest

import "context"

func fill(context.Context, order) error { return nil }
