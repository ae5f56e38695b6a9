// Package control administers the stages of one gateway: statistics, flush and purge, compaction, the list of stages and
// what their settings are.
//
// There is one interface, [Service], and three ways to reach it:
//
//   - [Local] works on open stores. A running gateway builds one over its own stores and offers it on the admin socket
//     with [Handler].
//   - [Client] speaks to that handler over the unix socket.
//   - [OpenOffline] takes the data directory's lock, and gives a Local whose stores are opened when they are first asked
//     for: the way to flush or compact a store whose gateway is not running.
//
// Most callers need [Connect] alone. It tries the lock of the data directory: free means offline, held means that a
// gateway is running and is asked through its socket, held without an answer is an [UnreachableError].
//
// A data directory looks like this:
//
//	LOCK          flock'ed by the process that uses the directory, whose process id it holds
//	admin.sock    the admin socket of a running gateway (unless admin.socket says otherwise)
//	stages/NAME/  the store of one stage
//
// A directory under stages/ that no stage of the configuration names is an orphan: it is kept, listed and warned about
// until [Service.RemoveStage] deletes it.
package control
