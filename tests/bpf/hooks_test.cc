#include "tests/bpf/probe_fixture.h"
