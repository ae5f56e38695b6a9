// Command testreport reads what "go test -json" writes and makes a short report of it: a line per package, the full
// output of what failed, every skipped test with its reason (a skip that nobody reads is a hole), and at the end
// one line "N passed, N failed".
//
//	go test -json ./... | testreport [-counts FILE]
//
// With -counts, "N N" (passed, failed) is also written to FILE, for a script to read. The exit code is 1 if anything failed
// or if the input is not what it should be.
package main
