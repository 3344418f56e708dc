"""A Ray cluster of one node for tests: prints its address and lives until its stdin closes."""

import logging
import sys

if __name__ == "__main__":
    import ray

    ray.init(
        address="local",
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100 << 20,
        _memory=1 << 30,
        log_to_driver=False,
        logging_level=logging.ERROR,
    )
    sys.stdout.write(ray.get_runtime_context().gcs_address + "\n")
    sys.stdout.flush()
    sys.stdin.read()
    ray.shutdown()
