"""The jail: namespaces whose only way out is a tunnel into the interceptor. Linux; needs no privilege and no program."""
