"""What container engines and virtual machines do: one row or more a program."""

from __future__ import annotations

import pytest

from rating import rate

HIGH = [
    ("docker run --privileged img", "shell.container.privileged"),
    ("DOCKER_HOST=tcp://1.2.3.4:2375 docker ps", "shell.container.remote_engine"),
    ("docker run -v /:/host img chroot /host", "shell.container.host_mount"),
    ("docker run -v /home/u:/h x", "shell.container.host_mount"),
    ("docker run -v /home/u/.ssh/:/h x", "shell.container.host_mount"),
    ("docker run -v /var/lib/docker:/p x", "shell.container.host_mount"),
    ("docker run --mount type=bind,src=/etc/shadow,target=/x x", "shell.container.host_mount"),
    ("docker run -v /etc:/x img", "shell.container.host_mount"),
    ("docker run -v ~/.ssh:/x img", "shell.container.host_mount"),
    ("docker run -v /var/run/docker.sock:/s img", "shell.container.host_mount"),
    ("docker run --pid=host img", "shell.container.host_namespace"),
    ("docker run --pid host img", "shell.container.host_namespace"),
    ("docker run --cap-add=SYS_ADMIN img", "shell.container.capability"),
    ("docker run --security-opt apparmor=unconfined img", "shell.container.unconfined"),
    ("docker run --mount type=bind,source=/,target=/h img", "shell.container.host_mount"),
    ("docker run --device /dev/sda img", "shell.container.device"),
    ("podman run --privileged x", "shell.container.privileged"),
    ("docker volume rm x", "shell.container.delete_data"),
    ("docker system prune -af --volumes", "shell.container.delete_data"),
    ("docker push a/b", "shell.publish.image"),
    ("docker -H tcp://1.2.3.4:2375 ps", "shell.container.remote_engine"),
    ("docker exec --privileged x sh", "shell.container.privileged"),
    ("docker swarm leave --force", "shell.container.cluster"),
    ("docker plugin install x", "shell.container.cluster"),
    ("ctr run x", "shell.container.low_level"),
    ("virsh destroy x", "shell.vm.delete"),
    ("lxc config device add c r disk source=/ path=/r", "shell.container.low_level"),
    ("docker buildx build --push .", "shell.publish.image"),
    ("qemu-system-x86_64 -hda x.img", "shell.vm.start"),
    ("skopeo copy docker-archive:x docker://a/b", "shell.publish.image"),
]
MEDIUM = [
    "docker build -t x .",
    "docker run --rm -it python:3.11 bash",
    "docker run -v $(pwd):/app img",
    "docker run -v ./x:/x img make",
    "docker rm -f x",
    "docker compose up -d",
    "docker exec x ls",
    "docker stop x",
    "docker system prune -f",
    "docker compose down",
    "docker-compose up -d",
    "docker cp x:/a .",
    "docker run -v /home/u/p:/w x",
    "docker run -v /root/repo:/w x",
    "docker run -v /etc/passwd:/etc/passwd:ro -u 1 x",
    "docker run -v ~/.cache/pip:/root/.cache y",
    "crictl ps",
    "minikube start",
]
LOW = [
    "docker ps -a",
    "docker images",
    "docker logs x",
    "docker compose logs",
    "skopeo inspect docker://a/b",
]


@pytest.mark.parametrize(("command", "finding"), HIGH)
def test_harm_is_high_and_says_why(command, finding):
    risk, found = rate(command)

    assert risk == "HIGH"
    assert finding in {rated.id for rated in found}


@pytest.mark.parametrize("command", MEDIUM)
def test_work_of_the_task_is_medium(command):
    assert rate(command)[0] == "MEDIUM"


@pytest.mark.parametrize("command", LOW)
def test_looking_is_low(command):
    assert rate(command)[0] == "LOW"
