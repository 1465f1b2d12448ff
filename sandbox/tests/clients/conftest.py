"""What the script asserts is shown with its values."""

import pytest

pytest.register_assert_rewrite("support.clients")
