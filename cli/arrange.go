package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// arrange puts a command line into the order that the flag package understands: the command, its flags, "--", its
// arguments. So flags may stand before the command, after its arguments, anywhere but behind a "--". What is wrong with
// names and counts is found here, where it can be said well; what is wrong with values is left to the parser.
func arrange(app *cli.App, limits map[*cli.Command]limits, args []string) ([]string, error) {
	a := arranger{limits: limits, flags: make(map[string]cli.Flag), given: make(map[string]bool)}
	a.collect(app.Flags)
	a.collectFrom(app.Commands)
	rest := args[min(1, len(args)):]
	help := false
	if len(rest) > 0 && rest[0] == "help" { // "help flush" is "flush --help"
		help, rest = true, rest[1:]
	}
	a.commands = app.Commands
	for len(rest) > 0 {
		word := rest[0]
		rest = rest[1:]
		var err error
		switch {
		case word == "--":
			a.arguments = append(a.arguments, rest...)
			rest = nil
		case len(word) > 1 && word[0] == '-':
			rest, err = a.flag(word, rest)
		case len(a.commands) > 0:
			err = a.enter(word)
		default:
			a.arguments = append(a.arguments, word)
		}
		if err != nil {
			return nil, err
		}
	}
	if a.command == nil && a.given["version"] {
		return []string{"cachectl", "version"}, nil
	}
	if help || a.given["help"] {
		return append(append([]string{"cachectl"}, a.path...), "--help"), nil
	}
	if err := a.check(); err != nil {
		return nil, err
	}
	out := append([]string{"cachectl"}, a.path...)
	out = append(out, a.options...)
	if len(a.arguments) > 0 {
		out = append(append(out, "--"), a.arguments...)
	}
	return out, nil
}

type arranger struct {
	limits    map[*cli.Command]limits
	flags     map[string]cli.Flag // every flag of every command, by name: which of them take a value is needed early
	given     map[string]bool     // by the flag's first name
	commands  []*cli.Command      // what may be entered next
	command   *cli.Command        // the last one entered
	path      []string
	options   []string
	arguments []string
}

func (a *arranger) collect(flags []cli.Flag) {
	for _, f := range append(flags, cli.HelpFlag) {
		for _, n := range f.Names() {
			a.flags[n] = f
		}
	}
}

func (a *arranger) collectFrom(commands []*cli.Command) {
	for _, c := range commands {
		a.collect(c.Flags)
		a.collectFrom(c.Subcommands)
	}
}

// enter steps down to a command.
func (a *arranger) enter(word string) error {
	var names []string
	for _, c := range a.commands {
		if c.Name == word {
			a.path, a.command, a.commands = append(a.path, word), c, c.Subcommands
			return nil
		}
		names = append(names, c.Name)
	}
	whole := strings.Join(append([]string{"cachectl"}, a.path...), " ")
	hint := whole + " --help lists the commands"
	if n := nearest(word, names); n != "" {
		hint = "did you mean " + whole + " " + n + "?"
	}
	return usagef(hint, "there is no command %q", strings.Join(append(a.path, word), " "))
}

// flag takes one flag, and its value where it needs one from the next word.
func (a *arranger) flag(word string, rest []string) ([]string, error) {
	name, value, inline := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-"), "=")
	f := a.flags[name]
	if f == nil {
		var names []string
		for _, other := range a.visible() {
			names = append(names, other.Names()[0])
		}
		slices.Sort(names)
		hint := ""
		if n := nearest(name, names); n != "" {
			hint = "did you mean --" + n + "?"
		}
		return nil, usagef(hint, "there is no flag %s", strings.SplitN(word, "=", 2)[0])
	}
	name = f.Names()[0]
	if _, many := f.(*cli.StringSliceFlag); a.given[name] && !many {
		return nil, usagef("", "the flag --%s is given twice", name)
	}
	a.given[name] = true
	if takesValue(f) {
		if !inline {
			if len(rest) == 0 {
				return nil, usagef("", "the flag --%s needs a value", name)
			}
			value, rest = rest[0], rest[1:]
		}
		if value == "" { // an unset variable in a script must not mean "all of them"
			return nil, usagef("leave the flag out if you do not mean it", "the value of --%s is empty", name)
		}
		a.options = append(a.options, "--"+name+"="+value)
		return rest, nil
	}
	a.options = append(a.options, word)
	return rest, nil
}

// visible are the flags of the command that was entered, or all of them before that.
func (a *arranger) visible() []cli.Flag {
	if a.command != nil {
		return a.command.Flags
	}
	var all []cli.Flag
	for _, f := range a.flags {
		all = append(all, f)
	}
	return all
}

// check sees to it that there is a command, that the flags are its own, and that the arguments are as many as it takes.
func (a *arranger) check() error {
	whole := strings.Join(append([]string{"cachectl"}, a.path...), " ")
	if len(a.commands) > 0 {
		return usagef(whole+" --help lists the commands", "%s needs a command", whole)
	}
	own := make(map[string]bool)
	var names []string
	for _, f := range a.command.Flags {
		for _, n := range f.Names() {
			own[n] = true
			names = append(names, n)
		}
	}
	for _, o := range a.options {
		name, _, _ := strings.Cut(strings.TrimLeft(o, "-"), "=")
		if !own[name] {
			hint := whole + " --help lists its flags"
			if n := nearest(name, names); n != "" {
				hint = "did you mean --" + n + "?"
			}
			return usagef(hint, "%s has no flag --%s", whole, name)
		}
	}
	l := a.limits[a.command]
	switch n := len(a.arguments); {
	case n < l.min:
		return usagef("usage: "+whole+" "+a.command.ArgsUsage, "%s needs %s", whole, a.command.ArgsUsage)
	case n > l.max:
		return usagef(whole+" --help tells what it takes", "%s does not take the argument %q", whole, a.arguments[l.max])
	}
	return nil
}

func takesValue(f cli.Flag) bool {
	d, ok := f.(cli.DocGenerationFlag)
	return ok && d.TakesValue()
}
