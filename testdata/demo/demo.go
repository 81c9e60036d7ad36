// Package demo holds the real data that spoor demo runs on, bundled into the
// binary. PROVENANCE.md of each folder says where it is from.
package demo

import "embed"

// Files are the folders bitcoin, tron and labels as they are here.
//
//go:embed bitcoin tron labels
var Files embed.FS
