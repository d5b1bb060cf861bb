"""What stands beside a step's form: the list of steps, findings, requests and the last trial."""
