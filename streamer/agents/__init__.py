"""The agents (代理): batch in, domain call, batch out. Each role is an application of its own."""
