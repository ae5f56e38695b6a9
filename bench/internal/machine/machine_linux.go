package machine

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// ProcessIO reads this process's counters from /proc/self/io. Written counts pages when they become dirty.
func ProcessIO() (IO, error) {
	data, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return IO{}, err
	}
	return parseIO(data)
}

func parseIO(data []byte) (io IO, err error) {
	fields := map[string]*int64{"read_bytes": &io.Read, "write_bytes": &io.Written}
	seen := 0
	for line := range bytes.Lines(data) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		to := fields[string(name)]
		if to == nil {
			continue
		}
		if *to, err = strconv.ParseInt(string(value), 10, 64); err != nil {
			return IO{}, fmt.Errorf("/proc/self/io: %w", err)
		}
		seen++
	}
	if seen != len(fields) {
		return IO{}, fmt.Errorf("/proc/self/io has no read_bytes or no write_bytes")
	}
	return io, nil
}

// ProcessUsage is this process's processor time.
func ProcessUsage() (Usage, error) {
	var r unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &r); err != nil {
		return Usage{}, err
	}
	return Usage{User: time.Duration(r.Utime.Nano()), System: time.Duration(r.Stime.Nano())}, nil
}

// Resident is the memory of this process that is in RAM, in bytes: its own and that of files it has mapped.
func Resident() (int64, error) {
	const file = "/proc/self/statm"
	data, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(data), &size, &resident); err != nil {
		return 0, fmt.Errorf("%s: %w", file, err)
	}
	return resident * int64(os.Getpagesize()), nil
}

func dontNeed(f *os.File) error { return unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED) }

// OpenDirect opens a file for reads that pass the page cache by. Offsets, sizes and buffers must be multiples of 4096.
func OpenDirect(name string) (*os.File, error) {
	return os.OpenFile(name, os.O_RDONLY|unix.O_DIRECT, 0)
}

// AlignedBuffer is memory for OpenDirect. It is never given back.
func AlignedBuffer(size int) ([]byte, error) {
	return unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
}

// fileSystems names the usual ones by their magic numbers.
var fileSystems = map[int64]string{
	unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs", unix.F2FS_SUPER_MAGIC: "f2fs",
	unix.OVERLAYFS_SUPER_MAGIC: "overlayfs", unix.TMPFS_MAGIC: "tmpfs", unix.RAMFS_MAGIC: "ramfs", unix.NFS_SUPER_MAGIC: "nfs",
	0x2fc12fc1: "zfs",
}

// FileSystem names the file system of a folder, says whether it is kept in memory only, and how many bytes are free.
func FileSystem(dir string) (name string, inMemory bool, free int64, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return "", false, 0, fmt.Errorf("file system of %s: %w", dir, err)
	}
	magic := int64(st.Type)
	name = fileSystems[magic]
	if name == "" {
		name = fmt.Sprintf("file system %#x", magic)
	}
	return name, magic == unix.TMPFS_MAGIC || magic == unix.RAMFS_MAGIC, int64(st.Bavail) * int64(st.Bsize), nil
}

// CPUs lists the processors that this process may use.
func CPUs() ([]int, error) {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return nil, err
	}
	var out []int
	for i := range len(set) * 64 {
		if set.IsSet(i) {
			out = append(out, i)
		}
	}
	return out, nil
}

// OnCPUs calls start, which starts a process, so that the process may use these processors only. None: all of ours.
func OnCPUs(cpus []int, start func() error) error {
	if len(cpus) == 0 {
		return start()
	}
	// A new process inherits the processors of the thread that forks it. The thread is thrown away if they cannot be reset.
	runtime.LockOSThread()
	var before, set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return err
	}
	for _, c := range cpus {
		set.Set(c)
	}
	if err := unix.SchedSetaffinity(0, &set); err != nil {
		return err
	}
	err := start()
	if unix.SchedSetaffinity(0, &before) == nil {
		runtime.UnlockOSThread()
	}
	return err
}
