// Package dirlock lets one process at a time use a directory.
//
// [Acquire] takes an advisory lock (flock) on the file LOCK in the directory and writes the process id into it; the
// kernel releases the lock when the process ends, however it ends, so a lock is never stale. [HeldError] names the
// process that has it. The file itself stays: removing it would let two processes lock two files of one name.
package dirlock
