"""What the integration tests share: a running environment, a browser, foreign programs."""
