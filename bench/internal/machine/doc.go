// Package machine asks the operating system what the benchmarks need to know: what a process wrote to disk and used of the
// processors, on what file system a folder lies, and that pages of files leave the cache. On Linux all of it works; on
// other systems the functions return an error that says so.
package machine
