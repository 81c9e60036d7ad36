// Package evidence turns a traced case into an evidence package: a folder of
// files in one zip that says where the money of which victim went, where it
// rests, who can freeze it, and everything that is needed to check that without
// trusting who made it.
//
// JSON is the record; report, tables, drawings and exports are renderings of it.
// A Dossier is that record in memory. Its parts are the files of Files, one
// each, and docs/package.md describes them.
//
// A Dossier has no clock, no random number and no order of a map in it: the same
// case at the same height gives the same bytes.
package evidence
