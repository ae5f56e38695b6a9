// Package collector holds Go's garbage collector to what is configured. Left alone it lets as much garbage come together as is alive, so
// a process with an index of 100 MB would grow by 100 MB more; a smaller share all the time would make a small heap be collected without
// end. So the share follows what is alive, and the garbage stays about the same.
package collector
