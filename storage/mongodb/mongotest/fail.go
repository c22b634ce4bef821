package mongotest

import (
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
)

// StartFailing starts a set of one whose commands Fail can make fail. It skips as Start does.
func StartFailing(t testing.TB) *Cluster {
	t.Helper()
	path, err := find()
	if err != nil {
		missing(t, err)
	}
	c, err := start(path, t.TempDir(), 1, "--setParameter", "enableTestCommands=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.stop)
	return c
}

// Fail makes the next n commands of a name that clients called fhirgate send fail as how says (MongoDB's fail point failCommand), all of them where n
// is negative, and none where it is 0.
func (c *Cluster) Fail(t testing.TB, command string, n int, how ...bson.E) {
	t.Helper()
	var mode any = bson.D{{Key: "times", Value: n}}
	switch {
	case n < 0:
		mode = "alwaysOn"
	case n == 0:
		mode = "off"
	}
	data := append(bson.D{{Key: "failCommands", Value: bson.A{command}}, {Key: "appName", Value: "fhirgate"}}, how...)
	if err := c.members[0].admin(bson.D{{Key: "configureFailPoint", Value: "failCommand"}, {Key: "mode", Value: mode}, {Key: "data", Value: data}}, nil); err != nil {
		t.Fatal(err)
	}
}
