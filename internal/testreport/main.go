package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	counts := flag.String("counts", "", "also write the two numbers to this `file`")
	slow := flag.Int("slow", 0, "also list the `N` tests that took longest")
	flag.Parse()
	r := newReport(os.Stdout)
	r.slow = *slow
	err := r.read(os.Stdin)
	r.finish()
	if err == nil && *counts != "" {
		err = os.WriteFile(*counts, fmt.Appendf(nil, "%d %d\n", r.passed, r.failed), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "testreport:", err)
	}
	if err != nil || r.failed > 0 {
		os.Exit(1)
	}
}
