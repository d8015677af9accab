# mypy: ignore-errors
# (what it imports exists only in the interpreter that has the official release)
"""The official compiled types behind a pipe: carries out batches of jobs, one process for all.

Runs under the official interpreter, alone: nothing of ours is imported here. A batch is a pickled
list of `(job, arguments...)`, its answer a list of `(True, value)` or `(False, error)`; both hold
plain built-ins only. Values travel as pictures, which `pictures.py` describes.
"""

import inspect
import pickle
import sys
from functools import cache

import parsec._parsec as official

FAMILIES = (
    "anonymous",
    "anonymous_server",
    "authenticated",
    "authenticated_account",
    "invited",
    "tos",
)


JOBS = {}


def job(function):
    JOBS[function.__name__] = function
    return function


def main():
    # Whatever the module prints must not get into the answers.
    answers = sys.stdout.buffer
    sys.stdout = sys.stderr
    while True:
        try:
            batch = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump([carry_out(*order) for order in batch], answers)
        answers.flush()


def carry_out(name, *arguments):
    try:
        return True, JOBS[name](*arguments)
    # Broken invariants surface as panics, which are no Exception.
    except BaseException as error:
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        return False, f"{type(error).__name__}: {error}"


# --- Messages ---


@job
def schema():
    """By command, what each class says: an enumeration its values, any other its fields."""
    return {
        family: {
            command: {name: outline(kind) for name, kind in classes_of(module).items()}
            for command, module in commands_of(family).items()
        }
        for family in FAMILIES
    }


@job
def shared_schema():
    """The same for the classes that belong to no command."""
    return {name: outline(kind) for name, kind in classes_of(official).items()}


def outline(kind):
    values = getattr(kind, "VALUES", None)
    return sorted(fields_of(kind)) if values is None else sorted(value.str for value in values)


@job
def load_request(family, body):
    """The command, the picture of the request, and the bytes of writing it again."""
    request = family_of(family).AnyCmdReq.load(body)
    return type(request).__module__.rpartition(".")[2], picture(request), request.dump()


@job
def build_request(family, command, drawn):
    return build(drawn, command_of(family, command)).dump()


@job
def load_reply(family, command, body):
    """The picture of the reply, and the bytes of writing it again (none for an unknown status)."""
    reply = command_of(family, command).Rep.load(body)
    unknown = type(reply).__name__ == "RepUnknownStatus"
    return picture(reply), None if unknown else reply.dump()


@job
def build_reply(family, command, drawn):
    return build(drawn, command_of(family, command)).dump()


@cache
def family_of(family):
    return getattr(official, f"{family}_cmds").latest


@cache
def commands_of(family):
    return {
        name: module for name, module in vars(family_of(family)).items() if inspect.ismodule(module)
    }


def command_of(family, command):
    return commands_of(family)[command]


@cache
def classes_of(module):
    # What has classes below it is a union.
    return {
        name: kind
        for name, kind in vars(module).items()
        if isinstance(kind, type) and not kind.__subclasses__()
    }


# --- Signed and encrypted data ---


@job
def load_certificate(kind, signed, verify_key, expectations):
    """Verify and read; the expectations are pictures by name of argument."""
    expected = {name: build(drawn) for name, drawn in expectations.items()}
    key = official.VerifyKey(verify_key)
    return picture(getattr(official, kind).verify_and_load(signed, key, **expected))


@job
def load_unverified_certificate(kind, signed):
    return picture(getattr(official, kind).unsecure_load(signed))


@job
def sign_certificate(drawn, signing_key):
    return build(drawn).dump_and_sign(official.SigningKey(signing_key))


@job
def is_redaction(drawn, redacted):
    return build(drawn).redacted_compare(build(redacted))


@job
def load_authority_certificate(kind, signed, verify_key_der):
    content = official.SequesterVerifyKeyDer(verify_key_der).verify(signed)
    return picture(getattr(official, kind).load(content))


@job
def sign_authority_certificate(drawn, signing_key_pem):
    return official.SequesterSigningKeyDer.load_pem(signing_key_pem).sign(build(drawn).dump())


@job
def sign_manifest(drawn, signing_key):
    return build(drawn).dump_and_sign(official.SigningKey(signing_key))


@job
def encrypt_manifest(drawn, signing_key, key):
    return build(drawn).dump_sign_and_encrypt(
        official.SigningKey(signing_key), official.SecretKey(key)
    )


@job
def load_child_manifest(encrypted, key, verify_key, announced):
    expected = {f"expected_{name}": build(drawn) for name, drawn in announced.items()}
    return picture(
        official.child_manifest_decrypt_verify_and_load(
            encrypted, official.SecretKey(key), official.VerifyKey(verify_key), **expected
        )
    )


@job
def load_user_manifest(encrypted, key, verify_key, announced):
    expected = {f"expected_{name}": build(drawn) for name, drawn in announced.items()}
    return picture(
        official.UserManifest.decrypt_verify_and_load(
            encrypted, official.SecretKey(key), official.VerifyKey(verify_key), **expected
        )
    )


@job
def load_payload(kind, frame):
    return picture(getattr(official, kind).load(frame))


@job
def dump_payload(drawn):
    return build(drawn).dump()


# --- Addresses and texts ---


@job
def load_address(kind, url, allow_http_redirection):
    """What an address says, and both its forms."""
    return drawn_address(
        getattr(official, kind).from_url(url, allow_http_redirection=allow_http_redirection)
    )


@job
def build_address(kind, server, fields):
    hostname, port, use_ssl, _ = server
    address = official.ParsecAddr(hostname, port, use_ssl)
    if kind == "ParsecAddr":
        return drawn_address(address)
    values = {name: build(drawn) for name, drawn in fields.items()}
    if kind != "ParsecWorkspacePathAddr":
        return drawn_address(getattr(official, kind).build(server_addr=address, **values))
    # It wants the address of the organization, of which it keeps all but the key.
    organization = official.ParsecOrganizationAddr.build(
        address, values.pop("organization_id"), official.SigningKey.generate().verify_key
    )
    return drawn_address(official.ParsecWorkspacePathAddr.build(organization, **values))


def drawn_address(address):
    """The kind of an address, its server, what else it says, and both its forms."""
    kind = type(address)
    server = address if kind is official.ParsecAddr else address.get_server_addr()
    names = {name for name, value in vars(kind).items() if inspect.isgetsetdescriptor(value)}
    return (
        kind.__name__,
        (server.hostname, server.port, server.use_ssl, server.to_http_url()),
        {name: picture(getattr(address, name)) for name in names - PARTS_OF_SERVER},
        (address.to_url(), address.to_http_redirection_url()),
    )


PARTS_OF_SERVER = {"hostname", "port", "use_ssl", "netloc"}


@job
def load_text(kind, text):
    """The picture of a scalar that is written as text."""
    return picture(getattr(official, kind)(text))


@job
def load_handle(email, label):
    return picture(official.HumanHandle(official.EmailAddress(email), label))


@job
def load_id(kind, text):
    return picture(getattr(official, kind).from_hex(text))


@job
def id_texts(drawn):
    value = build(drawn)
    return value.hex, getattr(value, "hyphenated", None)


@job
def load_date(text):
    return picture(official.DateTime.from_rfc3339(text))


@job
def date_text(microseconds):
    return official.DateTime.from_timestamp_micros(microseconds).to_rfc3339()


@job
def load_version(text):
    version = official.ApiVersion.from_str(text)
    return version.version, version.revision


# --- Cryptography ---


@job
def verify_key_of(signing_key):
    return official.SigningKey(signing_key).verify_key.encode()


@job
def sign(signing_key, message):
    key = official.SigningKey(signing_key)
    return key.sign(message), key.sign_only_signature(message)


@job
def verify(verify_key, signed):
    return official.VerifyKey(verify_key).verify(signed)


@job
def public_key_of(private_key):
    return official.PrivateKey(private_key).public_key.encode()


@job
def seal(public_key, message):
    return official.PublicKey(public_key).encrypt_for_self(message)


@job
def open_sealed(private_key, sealed):
    return official.PrivateKey(private_key).decrypt_from_self(sealed)


@job
def encrypt(key, message):
    return official.SecretKey(key).encrypt(message)


@job
def decrypt(key, ciphertext):
    return official.SecretKey(key).decrypt(ciphertext)


@job
def mac_512(key, message):
    return official.SecretKey(key).mac_512(message)


@job
def digest(message):
    return official.HashDigest.from_data(message).digest


@job
def new_passphrase():
    passphrase, key = official.SecretKey.generate_recovery_passphrase()
    return passphrase, key.secret


@job
def load_passphrase(passphrase):
    return official.SecretKey.from_recovery_passphrase(passphrase).secret


@job
def new_sequester_encryption_keys(bits):
    private, public = official.SequesterPrivateKeyDer.generate_pair(bits)
    return private.dump_pem(), private.dump(), public.dump_pem(), public.dump()


@job
def new_sequester_signing_keys(bits):
    signing, verify = official.SequesterSigningKeyDer.generate_pair(bits)
    return signing.dump_pem(), signing.dump(), verify.dump_pem(), verify.dump()


@job
def sequester_encrypt(public_key_der, message):
    return official.SequesterPublicKeyDer(public_key_der).encrypt(message)


@job
def sequester_decrypt(private_key_pem, encrypted):
    return official.SequesterPrivateKeyDer.load_pem(private_key_pem).decrypt(encrypted)


@job
def sequester_sign(signing_key_pem, message):
    return official.SequesterSigningKeyDer.load_pem(signing_key_pem).sign(message)


@job
def sequester_verify(verify_key_der, signed):
    return official.SequesterVerifyKeyDer(verify_key_der).verify(signed)


@job
def load_sequester_key(kind, pem):
    """The DER and the PEM of a key read from a PEM."""
    key = getattr(official, kind).load_pem(pem)
    return key.dump(), key.dump_pem()


# --- Pictures ---

# What makes a scalar from its picture, and which attribute or method gives it back.
SCALARS = {
    **dict.fromkeys(
        [name for name in vars(official) if name.endswith("ID") and name != "OrganizationID"],
        ("from_bytes", "bytes"),
    ),
    "AccessToken": ("from_bytes", "bytes"),
    "DateTime": ("from_timestamp_micros", "as_timestamp_micros"),
    "OrganizationID": (None, "str"),
    "DeviceLabel": (None, "str"),
    "EmailAddress": (None, "str"),
    "EntryName": (None, "str"),
    "ValidationCode": (None, "str"),
    "HashDigest": (None, "digest"),
    "SecretKey": (None, "secret"),
    "SigningKey": (None, "encode"),
    "VerifyKey": (None, "encode"),
    "PrivateKey": (None, "encode"),
    "PublicKey": (None, "encode"),
    "SequesterVerifyKeyDer": (None, "dump"),
    "SequesterPublicKeyDer": (None, "dump"),
}
PLAIN = (type(None), bool, int, float, str, bytes)
# Fields that have a class of their own here, and none in our code.
BUILDERS = {"active_users_limit": lambda limit: official.ActiveUsersLimit.from_maybe_int(limit)}
REDACTABLE = {"human_handle", "device_label"}


def picture(value):
    if isinstance(value, PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        return [picture(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return frozenset(picture(item) for item in value)
    if isinstance(value, dict):
        return {picture(key): picture(item) for key, item in value.items()}
    kind = type(value)
    name = kind.__name__
    if name in SCALARS:
        found = getattr(value, SCALARS[name][1])
        return name, found() if callable(found) else found
    if hasattr(kind, "VALUES"):
        return name, value.str
    if name == "ActiveUsersLimit":
        return value.to_maybe_int()
    if name == "HumanHandle":
        return name, (value.email.str, value.label)
    if name == "RealmArchivingConfiguration":
        return archiving_picture(value)
    # A field that the message lacks, where that is allowed, is an attribute that fails.
    return name, {
        field: None if is_redacted(value, field) else picture(getattr(value, field))
        for field in fields_of(kind)
        if hasattr(value, field)
    }


def archiving_picture(value):
    if value.deletion_date is not None:
        return "RealmDeletionPlanned", {"deletion_date": picture(value.deletion_date)}
    archived = value == official.RealmArchivingConfiguration.ARCHIVED
    return ("RealmArchived" if archived else "RealmAvailable"), {}


def is_redacted(value, field):
    # The attribute shows the stand-in then.
    return field in REDACTABLE and getattr(value, "is_redacted", False)


def build(drawn, module=official):
    if isinstance(drawn, PLAIN):
        return drawn
    if isinstance(drawn, list):
        # A list in a list stands for a tuple; there are no lists of lists.
        return [
            tuple(build(item, module)) if isinstance(item, list) else build(item, module)
            for item in drawn
        ]
    if isinstance(drawn, frozenset):
        return {build(item, module) for item in drawn}
    if isinstance(drawn, dict):
        return {build(key, module): build(item, module) for key, item in drawn.items()}
    name, content = drawn
    if name in SCALARS:
        maker = SCALARS[name][0]
        kind = getattr(official, name)
        return getattr(kind, maker)(content) if maker else kind(content)
    if name == "HumanHandle":
        email, label = content
        return official.HumanHandle(official.EmailAddress(email), label)
    if name.startswith("Realm") and name in ARCHIVING:
        return ARCHIVING[name](**{field: build(item) for field, item in content.items()})
    kind = getattr(module, name, None) or getattr(official, name)
    if isinstance(content, str):
        return kind.from_str(content)
    return kind(**{field: build_field(field, item, module) for field, item in content.items()})


def build_field(name, drawn, module):
    if name in BUILDERS:
        return BUILDERS[name](drawn)
    return build(drawn, module)


ARCHIVING = {
    "RealmAvailable": lambda: official.RealmArchivingConfiguration.AVAILABLE,
    "RealmArchived": lambda: official.RealmArchivingConfiguration.ARCHIVED,
    "RealmDeletionPlanned": official.RealmArchivingConfiguration.deletion_planned,
}


@cache
def fields_of(kind):
    if not getattr(kind, "__text_signature__", None):
        return ()
    return tuple(inspect.signature(kind).parameters)


if __name__ == "__main__":
    main()
