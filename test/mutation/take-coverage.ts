import { takeCoverage } from 'node:v8'

// A test ends its service with SIGKILL, and a process that is killed writes no coverage: it is written while it runs.
setInterval(takeCoverage, 250).unref()
