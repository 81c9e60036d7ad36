// Package report renders a dossier for people: one self-contained HTML file and
// a PDF, with the same contents in the same order. Both say what is not known as
// plainly as what is, and neither has a risk score.
package report
