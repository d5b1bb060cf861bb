"""The console: builder, connections, dashboard and settings for people who sign in. It sees no secret."""
