// Package report is the arithmetic and the form of what the benchmarks print.
//
// A benchmark makes a Sheet, adds a Figure for each claim, and prints the sheet at the end. A figure is a ratio, or an
// absolute value where there is nothing to compare with, and it always shows both sides:
//
//	figure hit_vs_bare_nethttp 0.91 x (ours 41,200 req/s, theirs 45,300 req/s)
//
// Scripts may rely on this form: "figure", the name, a plain decimal number, the unit, both sides in parentheses. What a
// program does not measure has no such line.
package report
