// Package fuzz holds the fuzz targets over everything that parses bytes from the
// disk or from the network. Each target states invariants, so that it fails on a
// wrong answer and not only on a panic, and brings its seeds with f.Add: they run
// as ordinary tests.
//
// A file policy_vary_test.go fuzzes what the package policy does with Vary. To run
// one target for a minute:
//
//	go test ./fuzz -run '^$' -fuzz '^FuzzPolicyVary$' -fuzztime 1m
package fuzz
