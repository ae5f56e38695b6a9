package machine

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every architecture that Go runs on.
const tick = 10 * time.Millisecond

// TreeUsage is the processor time of a process and of all that descend from it, threads included. It counts in hundredths of
// a second, so measure for a second or more.
func TreeUsage(pid int) (Usage, error) {
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return Usage{}, err
	}
	type process struct {
		parent int
		used   Usage
	}
	all := make(map[int]process)
	for _, p := range procs {
		id, err := strconv.Atoi(p.Name())
		if err != nil {
			continue
		}
		data, err := os.ReadFile("/proc/" + p.Name() + "/stat")
		if err != nil {
			continue // it has ended
		}
		parent, used, err := parseStat(data)
		if err != nil {
			return Usage{}, fmt.Errorf("/proc/%d/stat: %w", id, err)
		}
		all[id] = process{parent, used}
	}
	if _, ok := all[pid]; !ok {
		return Usage{}, fmt.Errorf("process %d is not there", pid)
	}
	var sum Usage
	for id, p := range all {
		// Up to the root or a missing parent; a chain of parents has no circles longer than the table.
		for at, steps := id, 0; at != 0 && steps < len(all); at, steps = all[at].parent, steps+1 {
			if at == pid {
				sum.User += p.used.User
				sum.System += p.used.System
				break
			}
		}
	}
	return sum, nil
}

// parseStat reads a line of proc(5), "stat": the second field is the program's name in parentheses, and may hold anything.
func parseStat(data []byte) (parent int, used Usage, err error) {
	end := bytes.LastIndexByte(data, ')')
	if end < 0 {
		return 0, used, errors.New("no program name")
	}
	fields := bytes.Fields(data[end+1:])
	const ppid, utime, stime = 4 - 3, 14 - 3, 15 - 3 // counted from the third field on
	if len(fields) <= stime {
		return 0, used, errors.New("cut short")
	}
	if parent, err = strconv.Atoi(string(fields[ppid])); err != nil {
		return 0, used, err
	}
	user, err := strconv.ParseInt(string(fields[utime]), 10, 64)
	if err != nil {
		return 0, used, err
	}
	system, err := strconv.ParseInt(string(fields[stime]), 10, 64)
	return parent, Usage{User: time.Duration(user) * tick, System: time.Duration(system) * tick}, err
}
