# Copyright (c) 2026, Vellaric contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan of a database that is to be there as declared: made for the first time, or changed at least cost. Pure."""

from __future__ import annotations

import dataclasses

from . import certification, extensions, layout, names, networks, users, view
from . import container as containers
from .errors import Refused
from .host.ports import first_free
from .record import Record
from .server import configuration, scram
from .steps import IMPACTS, Plan, Step


def converge(spec, seen, identity):
    record = new_record(spec, seen, identity)
    spec = _with_logins(spec, seen, record)
    steps = []
    if seen.record is None or seen.record.port != record.port:
        steps.append(Step("reserve", f"reserve port {record.port} and write the record of {spec.container}"))
    elif seen.record != record:
        changed = view.changed_options(seen.record, record)
        steps.append(Step("write_record", f"record the declaration ({', '.join(changed)})"))
    certificate = certification.decide(spec, seen)
    if seen.image is None:
        return _fetch_image(spec, seen, record, steps, certificate)
    config, texts = desired(spec, seen, record)
    change = _initialise if not record.initialised else _change
    files = dict(texts)
    more, pending = change(spec, seen, record, config, files, certificate)
    return Plan(
        steps=(*steps, *more),
        pending=pending,
        record=record,
        config=config,
        files=files,
        before=view.before(spec, seen),
        after=view.after(spec, seen, record, config, texts, certificate.own),
        certification=certificate,
        warnings=certificate.warnings,
        spec=spec,
        final=_is_final(seen, record, texts, [*steps, *more]),
    )


def desired(spec, seen, record):
    """Return the container and the managed files as they are to be. Raises Refused where they cannot be so."""
    if seen.settings_error:
        raise Refused(f"settings: the server does not accept them: {seen.settings_error}")
    _refuse_unknown_extensions(spec, seen)
    _refuse_users(spec, seen, record)
    networks.refuse_missing(spec, seen)
    config = containers.desired(spec, record, seen.image)
    return config, configuration.render(spec, record, seen.image.major, networks.access(spec, seen.networks))


def _refuse_unknown_extensions(spec, seen):
    unknown = [name for name in spec.extensions if name not in seen.image.extensions]
    if unknown:
        raise Refused(
            f"extensions has {', '.join(unknown)}, which image {spec.image} does not have. Nothing was changed: declare"
            f" an image that has it, or one of {', '.join(seen.image.extensions)}"
        )


def _with_logins(spec, seen, record):
    """Return the declaration with the logins that take turns among its users; then the application's role has none.

    Raises Refused where the one whose turn comes may still be used with its old password.
    """
    logins = users.taking_turns(record.username, record.login, spec.password, spec.update_password)
    if not logins:
        return spec
    declared = [user.name for user in spec.users if user.name in names.alternates(record.username)]
    if declared:
        raise Refused(f"users: {declared[0]} is a login of the application's own role: choose another name")
    if seen.server is not None and spec.password and seen.record is not None and seen.record.login != record.login:
        seconds = users.still_used(record.username, record.login, spec.password, seen.server.users)
        if seconds != 0:
            until = f"for another {seconds:.0f} s" if seconds else "until its login is ended (login_grace)"
            raise Refused(
                f"{record.login} of {spec.container} may still be used with its old password, {until}: rotate again"
                " after that"
            )
    return dataclasses.replace(spec, username=record.username, password=None, users=(*spec.users, *logins))


def _end_step(spec, seen, record):
    if record.login is None or spec.login_grace is None:
        return []
    going = users.unended(record.username, record.login, seen.server.users)
    return [Step("end_logins", f"end the login of {', '.join(going)} in {spec.login_grace} s")] if going else []


def _refuse_users(spec, seen, record):
    observed = seen.server.users if seen.server else users.NOTHING
    if record.username in [user.name for user in spec.users]:
        raise Refused(f"users: {record.username} is the application's own role, which owns the database")
    waiting = [user.name for user in spec.users if user.waits or user.recorded]
    missing = users.missing(spec.users, observed) if seen.server or not record.initialised else ()
    missing = [name for name in missing if name not in waiting]
    if missing:
        raise Refused(
            f"users: {', '.join(missing)} of {spec.container} is new and needs a password: role"
            " vellaric.postgres.database takes care of it in a run that is not partial, postgres_db_credentials"
            " generates and stores it"
        )
    differing = users.disagreeing(spec.users, observed, spec.update_password)
    if differing:
        raise _disagreement(", ".join(differing), spec.container)


def _user_step(spec, record, observed):
    declared = users.feasible(spec.users, observed)
    words = [change.words for change in users.changes(declared, record.username, observed)]
    return [Step("users", f"users: {', '.join(words)}")] if words else []


def _extension_step(spec, installed):
    words = [words for words, _statement in extensions.changes(spec.extensions, installed) if words]
    return [Step("extensions", f"extensions: {', '.join(words)}")] if words else []


def _is_final(seen, record, texts, steps):
    """Say whether nothing can come to light that needs more than these steps.

    A server that could not be asked may need more. So may one that reads parameters which the image does not know to
    need a restart: those of extensions, and those of files that an earlier run wrote.
    """
    if not record.initialised or not steps:
        return True
    if seen.server is None or seen.unread:
        return False
    before = _text(seen, configuration.POSTGRESQL_CONF)
    changed = configuration.changed_parameters(before, texts[configuration.POSTGRESQL_CONF])
    return all(name in seen.image.parameters for name in changed)


def _fetch_image(spec, seen, record, steps, certificate):
    if spec.pull == "never":
        raise Refused(
            f"Image {spec.image} is not on the host and pull is never. Nothing was changed: load or build the image"
            " (role vellaric.postgres.image), or set pull: missing"
        )
    steps.append(Step("pull", f"pull image {spec.image}"))
    if not record.initialised:
        steps += _creation(spec, record, certificate)
    return Plan(
        steps=tuple(steps),
        record=record,
        before=view.before(spec, seen),
        after=view.after(spec, seen, record, None, {}, certificate.own),
        certification=certificate,
        final=False,
    )


def new_record(spec, seen, identity):
    """Return the record as it will be: what is given for life stays, the declaration is replaced."""
    old = seen.record or _recovered_record(spec, seen)
    username = spec.username or (old.username if old else None)
    if old is None and spec.partial:
        raise Refused(
            f"There is no database {spec.container}: partial: true changes one that is there. Create it first"
        )
    if username is None or ((old is None or not old.initialised) and spec.password is None):
        raise Refused(
            f"{spec.container} is new and needs a username and a password: role vellaric.postgres.database takes care"
            " of both, postgres_db_credentials generates and stores them"
        )
    login = old.login if old and spec.username is None else None
    if old is not None and old.initialised and username in names.alternates(old.username):
        username, login = old.username, username
    if old is not None and old.initialised and username != old.username:
        raise Refused(
            f"username is {username!r}, but {spec.container} belongs to {old.username!r}: leave the option out, or"
            " give the stored credentials of this database. Where those are lost, rotate its password (playbook"
            " vellaric.postgres.rotate)"
        )
    return Record(
        id=old.id if old else identity,
        name=spec.name,
        environment=spec.environment,
        created_at=old.created_at if old else seen.now,
        port=_port(spec, seen, old),
        username=username,
        login=login,
        initialised=old.initialised if old else False,
        declared=spec.declared(),
        libc=(old.libc if old and (old.initialised or old.adopted) else None)
        or (seen.image.libc if seen.image else None),
        adopted=old.adopted if old else None,
    )


def _recovered_record(spec, seen):
    """Make the record again from the container, where somebody removed the file."""
    if seen.container is None or not seen.container.database_id:
        return None
    healthcheck = seen.container.config.healthcheck
    username = healthcheck[healthcheck.index("-U") + 1] if "-U" in healthcheck else None
    return Record(
        id=seen.container.database_id,
        name=spec.name,
        environment=spec.environment,
        # The engine leaves zeros at the end of a fraction out.
        created_at=seen.container.created_at[:23].rstrip("Z") + "Z",
        port=seen.container.config.port,
        username=username,
        # Data that is there is never taken for half-made.
        initialised=bool(seen.data_majors),
        declared={},
    )


def _port(spec, seen, old):
    """Return the declared port, else the one it has, else the first free one."""
    if spec.port is None and old is not None:
        wanted = old.port
    elif spec.port is not None:
        wanted = spec.port
    else:
        free = first_free(spec.port_range, seen.ports_taken)
        if free is None:
            raise Refused(
                f"No port is free between {spec.port_range[0]} and {spec.port_range[1]}: widen port_range, or delete"
                " databases that are no longer used"
            )
        return free
    # Between two attempts of its restart policy, too, it is the engine that listens on its behalf.
    ours = seen.container is not None and seen.container.config is not None
    own = ours and seen.container.active and seen.container.config.port == wanted
    if wanted in seen.ports_taken and not own:
        raise Refused(
            f"Port {wanted} of {spec.container} is taken by {seen.ports_taken[wanted]}. Free it, or declare another"
            " port; without one, a new database gets a free one"
        )
    return wanted


def _creation(spec, record, certificate):
    return [
        certificate.first,
        Step("write_files", f"write {', '.join(sorted(configuration.MANAGED))}"),
        Step("create", f"create container {spec.container} and initialise the data directory"),
        Step("role", "create the application's role"),
        Step("database", f"create database {spec.name}"),
        Step("restrict", "let nobody in but its owner"),
        Step("lock_superuser", "leave the superuser without a password"),
        *_extension_step(spec, {}),
        *_user_step(spec, record, users.NOTHING),
        Step("prove_login", "log in as the application, over TLS"),
    ]


def _initialise(spec, seen, record, config, texts, certificate):
    """A first start, or one that was cut short: nothing of value is in the data directory yet."""
    steps = _creation(spec, record, certificate)
    if seen.container is None and not seen.half_made:
        return steps, ()
    running = seen.container is not None and seen.container.running
    first_config = dataclasses.replace(config, restart_policy=containers.INITIAL_RESTART_POLICY)
    if running and not containers.changed_by_replacement(seen.container.config, first_config):
        # It may have read its files already: they have to be the right ones.
        if certificate.step is None and not _differing_files(seen, texts):
            summary = f"wait for container {spec.container} to initialise the data directory"
            created = [step.verb for step in steps].index("create")
            joins = networks.step(spec, seen)
            return [Step("initialise", summary), *([joins] if joins else []), *steps[created + 1 :]], ()
    return [Step("reset", "remove what a first start that was cut short has left"), *steps], ()


def _change(spec, seen, record, config, texts, certificate):
    """A database that has served: bring it to its declaration at the least cost.

    texts: the managed files; one that is not to be written yet is taken out.
    """
    _refuse_other_data(spec, seen)
    steps, pending = [], []

    def allowed(step):
        if IMPACTS.index(step.impact) <= IMPACTS.index(spec.max_impact):
            return True
        pending.append(step)
        return False

    original = seen.previous is not None and seen.previous.config is None
    if seen.previous is not None and not original:
        if seen.server is None:
            # A replacement was cut short, and nothing says that the new container ever served.
            return [Step("put_back", f"put back container {spec.container}, whose replacement was cut short")], ()
        steps.append(Step("remove_previous", f"remove container {seen.previous.name}"))
    running = seen.container is not None and seen.container.running
    if certificate.step is not None:
        steps.append(certificate.step)
    differing = _differing_files(seen, texts)
    replace = _replacement(spec, seen, config)
    replaces = replace is not None and allowed(replace)
    restart = _restart(spec, seen, texts) if running and not replaces else None
    if restart is not None and not allowed(restart):
        # Written now, it would take effect at the next restart, whatever that is for.
        del texts[configuration.POSTGRESQL_CONF]
        differing = [path for path in differing if path in texts]
        restart = None
    if replaces or restart is not None:
        refuse_broken_files(spec, seen, rewritten=differing)
    if differing:
        steps.append(Step("write_files", f"write {', '.join(differing)}"))
    joins = None if replaces else networks.step(spec, seen)
    if joins is not None and allowed(joins):
        steps.append(joins)
    if replaces:
        steps.append(replace)
    update = None if replaces else _update(seen, config)
    shrinks = update is not None and containers.less_memory(seen.container.config, config)
    if shrinks and any(step.verb == "restart" for step in pending):
        # With the parameters that it runs with, the server may need more than what it would be left with.
        reason = "with the parameters that it runs with the server may need more memory: first it is to be restarted"
        pending.append(dataclasses.replace(update, impact="restart", reason=reason))
    elif shrinks and restart is not None:
        steps += [restart, update]
    else:
        steps += [step for step in (update, restart) if step is not None]
    if restart is None and running and not replaces and (differing or certificate.step or seen.unread):
        steps.append(Step("reload", "let the server read its configuration again"))
    if not running and not replaces and (spec.serves or seen.container is None):
        steps.append(
            Step("start", f"start container {spec.container}")
            if seen.container is not None
            else Step("create", f"create container {spec.container} on the data that is there")
        )
    steps += server_steps(spec, seen, record)
    if original:
        # It was taken over: its data has been read by another server since, so that it never comes back.
        steps.append(removal_of_original(spec))
    return steps, tuple(pending)


def removal_of_original(spec):
    return Step("remove_previous", f"remove container {layout.previous_container(spec.container)}, but not its volumes")


def _refuse_other_data(spec, seen):
    if not seen.data_majors:
        raise Refused(
            f"{spec.container} has been in use, but {spec.directory}/pgdata holds no data. Nothing was changed: put the"
            " data back, or delete the database and create it anew"
        )
    major = seen.data_majors[-1]
    if major != seen.image.major:
        raise Refused(
            f"Image {spec.image} is PostgreSQL {seen.image.major}, the data of {spec.container} is PostgreSQL {major}."
            f" Nothing was changed: declare an image of version {major}; to move to another major version, dump the"
            " database and restore it into a new one"
        )
    known = seen.record.libc if seen.record else None
    if known is not None and known != seen.image.libc:
        raise Refused(
            f"Image {spec.image} has {seen.image.libc}, the data of {spec.container} was made under {known}, which"
            " sorts text otherwise: indexes would miss rows. Nothing was changed: declare an image with the same C"
            " library; to move to another one, dump the database and restore it into a new one"
        )


def _differing_files(seen, texts):
    return [
        path
        for path, text in sorted(texts.items())
        if path not in seen.files or seen.files[path].content != text.encode("utf-8") or seen.files[path].mode != 0o644
    ]


def _replacement(spec, seen, config):
    if seen.container is None:
        return None
    fields = containers.changed_by_replacement(seen.container.config, config)
    if not fields:
        return None
    changes = view.field_changes(fields, seen.container.config, config)
    reason = "the engine changes this in a new container only, which takes the data over"
    return Step("replace", f"replace container {spec.container} ({changes})", "recreate", reason)


def _update(seen, config):
    fields = containers.changed_in_place(seen.container.config, config) if seen.container is not None else ()
    if not fields:
        return None
    return Step("update", f"change {view.field_changes(fields, seen.container.config, config)}")


def _text(seen, path):
    return seen.files[path].content.decode("utf-8", "replace") if path in seen.files else ""


def refuse_broken_files(spec, seen, rewritten=()):
    """A server that serves is not taken down while a file of a person's would keep it from coming back.

    rewritten: the files of ours that are written first, so that what is wrong with them counts no more.
    """
    errors = seen.server.file_errors if seen.server is not None else ()
    ours = [f"{containers.HOME_MOUNT}/{path}" for path in rewritten]
    errors = [error for error in errors if not any(path in error for path in ours)]
    if errors:
        raise Refused(
            f"The configuration of {spec.container} has errors with which the server would not start again:"
            f" {'; '.join(errors)}. Nothing was changed: mend {spec.directory}/postgresql.conf first"
        )


def _restart(spec, seen, texts):
    """Return the restart that changed parameters need, or that earlier ones still wait for."""
    before = _text(seen, configuration.POSTGRESQL_CONF)
    text = texts[configuration.POSTGRESQL_CONF]
    changed = configuration.changed_parameters(before, text)
    waiting, withdrawn = (seen.server.pending_restart, seen.server.withdrawn) if seen.server else ((), ())
    names = configuration.needs_restart(changed, seen.image.parameters)
    ours = {
        *configuration.parameters(text),
        *configuration.personal_parameters(_text(seen, configuration.PERSONAL_CONF)),
        # Set when the server started, and no longer: an earlier run took them out, and came no further.
        *withdrawn,
    }
    names += [name for name in waiting if name not in names and name in ours]
    if not names:
        return None
    reason = f"it reads {', '.join(names)} only when it starts"
    return Step("restart", f"restart the server ({', '.join(names)})", "restart", reason)


def _password_differs(spec, record, verifier):
    """Say whether the server has another password than the one given, or none. Raises Refused where it keeps it."""
    if spec.password is None or scram.matches(spec.password, verifier):
        return False
    if verifier is not None and spec.update_password == "on_create":
        raise _disagreement(record.username, spec.container)
    return True


def _disagreement(username, container):
    return Refused(
        f"The stored password of {username} is not the one that {container} has: somebody changed it there, or another"
        " copy of the credentials is in use. Nothing was changed. To give the server the stored one, set"
        " update_password: always; to store the one that it has, give that as password; to replace both, rotate it"
        " (playbook vellaric.postgres.rotate)"
    )


def server_steps(spec, seen, record):
    if seen.server is None:
        return []
    steps, role, database = [], seen.server.role, seen.server.database
    differs = role is not None and _password_differs(spec, record, role["verifier"])
    ends = role is not None and role.get("ends") and record.login is None
    if role is None or role["privileged"] or not role["login"] or ends:
        steps.append(Step("role", f"make {record.username} an ordinary role that can log in"))
    elif differs:
        steps.append(Step("role", f"set the password of {record.username}"))
    if database is None or database["owner"] != record.username:
        steps.append(Step("database", f"make {record.username} the owner of database {spec.name}"))
    if database is None or database["public"]:
        steps.append(Step("restrict", f"let nobody into database {spec.name} but its owner"))
    if seen.server.superuser_has_password:
        steps.append(Step("lock_superuser", "leave the superuser without a password"))
    steps += _extension_step(spec, seen.server.extensions)
    steps += _user_step(spec, record, seen.server.users)
    steps += _end_step(spec, seen, record)
    if spec.password is not None and any(step.verb == "role" for step in steps):
        steps.append(Step("prove_login", "log in as the application, over TLS"))
    return steps
