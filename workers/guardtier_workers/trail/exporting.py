"""Makes the steward's exporter of what the settings say."""

from __future__ import annotations

from guardtier.errors import ConfigError
from guardtier.sealing import SigningKeys
from guardtier.settings import Settings
from guardtier_workers.trail.exporter import Exporter
from guardtier_workers.trail.folder import Folder


def exporters(settings: Settings) -> list[Exporter]:
    """None where nothing is to be exported, else one. Raises ConfigError."""
    if settings.audit_dir is None:
        if settings.audit_sql is not None:
            raise ConfigError(
                "audit_sql is a copy of what is exported: the steward needs audit_dir as well",
                field="audit_sql",
            )
        return []
    signs = SigningKeys(settings.signing_key_file) if settings.signing_key_file else None
    folder = Folder(settings.audit_dir, most_bytes=settings.audit_file_bytes, signs=signs)
    archive = None
    if settings.audit_sql is not None:
        from guardtier_workers.trail.archive import Archive

        archive = Archive.at(settings.audit_sql)
    return [Exporter(settings.redis_url, settings.partitions, folder, copies=archive)]
