// Package cli is cachectl: its commands, what they print, and their exit codes.
//
// [Main] runs one command line and gives the exit code:
//
//	0  done
//	1  failed
//	2  wrong usage
//	3  not reachable: the data directory is in use, and nobody answers for it
//
// Results go to standard output and everything else to standard error: "cachectl: " and the error in lower case, then
// "hint: " and what to do, where there is something to do. Every command that prints a result has --json.
//
// The gateway itself is [Server]: what "cachectl serve" runs, in a form that a test can run on port 0.
package cli
