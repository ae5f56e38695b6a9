// Package curve measures how a store's costs grow with what is in it: it fills one on a real disk, level by level, up to its
// capacity and past it, and measures puts and gets at each level. It is what "cachectl bench" runs.
//
//	folder, err := curve.Claim(dataDir)          // a folder of its own in dataDir
//	defer folder.Remove()
//	result, err := curve.Run(ctx, folder, curve.Options{Size: 20e9, Memory: 500e6})
//	result.WriteTable(os.Stdout)                 // also what there is after an interrupt
//	result.WriteSVG(file)
//
// A level is reached when as many bytes were committed to the disk as its percentage of the capacity says; past 100 percent
// the store is full, and every put costs an eviction. At each level:
//
//   - Puts are those that led there from the level before, and block while the write-behind queue is full, so that their rate is
//     the disk's. The clock stops after a sync. With workers that do nothing but put, most of a put's time is waiting for room.
//   - Gets from memory ask for the newest entries, a part that fits into the memory tier with ease.
//   - Gets from disk ask for entries that the memory tier cannot hold any more, each once. Their files are in the system's page
//     cache as far as that has room ("warm"); how many bytes came from the device for each is told. Where nearly all is in
//     memory there is no such level.
//
// What a get returns is compared with what was put. Latencies are read from a histogram and are at most 3 percent too high.
// Every figure of the operating system (written bytes, resident memory) is of the whole process.
package curve
