// Package child runs parts of a benchmark in processes of their own, so that what a server costs is told apart from what its
// clients cost. A program starts itself again in a role:
//
//	c, err := child.Start("server", cpus, setup, &ready) // the program that measures
//	err = c.Ask("usage", nil, &usage)
//	err = c.Close()
//
//	if role := child.Role(); role != "" {                // first thing in main
//		err := child.Serve(func(setup json.RawMessage) (ready any, answer child.Answer, end func() error, err error) { ... })
//	}
//
// The two talk in lines of JSON over the child's standard input and output. A child ends when its input does, so none
// outlives the program that started it.
package child
