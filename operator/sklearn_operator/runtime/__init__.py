"""When things happen: wake-ups, the work queue, one pass of reconciliation, settings, health and metrics.

The only room that knows kopf and asyncio.
"""
