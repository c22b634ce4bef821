package mongodb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/connstring"
)

// readURI reads a connection string. What the driver would pass over in silence is an error: an option that it does not know does nothing, and
// nobody is told. No error holds the password.
func readURI(uri string) (*connstring.ConnString, error) {
	cs, err := connstring.ParseAndValidate(uri)
	if err != nil {
		return nil, fmt.Errorf("mongodb: the connection string can't be used: %s", redact(err.Error(), uri))
	}
	unknown := slices.Sorted(maps.Keys(cs.UnknownOptions))
	switch {
	case len(unknown) == 0:
		return cs, nil
	case !speakable(unknown, uri):
		return nil, fmt.Errorf("mongodb: the connection string can't be used: it has options that there are not (of a name and a password @ : / ? # [ ] %% are escaped, %%40 for @)")
	}
	return nil, fmt.Errorf("mongodb: the connection string cannot be used: unknown option %s", strings.Join(unknown, ", "))
}

// speakable reports whether names of options may be told. What follows a question mark in a password that is not escaped looks like one.
func speakable(names []string, uri string) bool {
	_, query, _ := strings.Cut(uri, "?")
	return !strings.Contains(query, "@") && !slices.ContainsFunc(names, func(name string) bool {
		return name == "" || len(name) > 64 || strings.IndexFunc(name, func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }) >= 0
	})
}

// redact removes a connection string and the password in it from a message.
func redact(msg, uri string) string {
	msg = strings.ReplaceAll(msg, uri, "mongodb://...")
	if cs, err := connstring.Parse(uri); err == nil && cs.Password != "" {
		msg = strings.ReplaceAll(msg, cs.Password, "...")
	}
	if _, rest, ok := strings.Cut(uri, "://"); ok {
		if user, _, ok := strings.Cut(rest, "@"); ok {
			msg = strings.ReplaceAll(msg, user, "...")
		}
	}
	return msg
}

// noMember says why no server is left to ask: those that the connection string names are members of another set, or of none, than it names.
func noMember(ctx context.Context, uri string) string {
	cs, err := connstring.Parse(uri)
	if err != nil || cs.ReplicaSet == "" {
		return "the connection string names none that can be found"
	}
	why := fmt.Sprintf("%s is not a member of the replica set %s that the connection string names", strings.Join(cs.Hosts, ", "), cs.ReplicaSet)
	if len(cs.Hosts) > 1 {
		why = fmt.Sprintf("none of %s is a member of the replica set %s that the connection string names", strings.Join(cs.Hosts, ", "), cs.ReplicaSet)
	}
	for _, host := range cs.Hosts {
		if name := setOf(ctx, uri, host); name != "" {
			return why + fmt.Sprintf("; %s is one of %s: replicaSet=%s", host, name, name)
		}
	}
	return why
}

// setOf asks a server for the name of its replica set; "" where it does not tell.
func setOf(ctx context.Context, uri, host string) string {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	opts := options.Client().ApplyURI(uri).SetHosts([]string{host}).SetDirect(true)
	opts.ReplicaSet = nil
	c, err := mongo.Connect(opts)
	if err != nil {
		return ""
	}
	defer c.Disconnect(context.WithoutCancel(ctx))
	var h hello
	if err := c.Database("admin").RunCommand(ctx, bson.D{{Key: "hello", Value: 1}}).Decode(&h); err != nil {
		return ""
	}
	return h.SetName
}
