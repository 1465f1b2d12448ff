"""What tests of routers share: releases as small servers, clients that say exactly what they are told."""
