"""mitogen_linear for machines with few processors. What mitogen ties to single processors it leaves to the kernel: of two, it would keep one for itself, and
all workers of Ansible, and whatever they start (podman, other playbooks, tests), would share the other one."""

import ansible_mitogen.affinity
import ansible_mitogen.loaders
import ansible_mitogen.strategy

ansible_mitogen.affinity.policy = ansible_mitogen.affinity.Policy()


class StrategyModule(ansible_mitogen.strategy.StrategyMixin, ansible_mitogen.loaders.strategy_loader.get("linear", class_only=True)):
    """Nothing else is different."""
