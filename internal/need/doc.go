// Package need lets a test ask for a program that is not Go's: curl, git, a C compiler.
//
//	curl := need.Tool(t, "curl")
//
// Without the program the test is skipped, and the reason names it. Under continuous integration, where the environment
// has CI=true, a skipped test would be a hole that nobody sees: there the test fails instead. What is to be
// installed stands in .ci/tools; a test that needs something new adds it there.
package need
