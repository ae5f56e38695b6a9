// Package layers has no code, only tests: they hold the rules of how the house is built, so that prose need not.
//
// Over the import graph (graph_test.go): imports point one way, cli -> gateway -> engine -> tier -> crypto; what lies
// below the gateway knows nothing of net/http; nothing imports cli; crypto uses no math/rand; the rivals that
// benchmarks compare with stay out of the core module; no test code gets into the binary.
//
// Over the files (tree_test.go): every package has a doc comment, no file is longer than 800 lines, nothing names a
// machine's own paths or a package registry, nothing is left unfinished, no merge is left open, every fuzz target has seeds,
// every package has a row in ARCHITECTURE.md.
//
// Each rule is a row in a table, and each row comes with examples that break it: a rule that cannot fail is none.
// A new package is covered by the table already, or its author adds a row and says why.
package layers
