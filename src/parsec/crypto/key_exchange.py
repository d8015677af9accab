"""The key that greeter and claimer share after they exchanged throw-away public keys.

The key is BLAKE2b-512(X25519 point | greeter's public key | claimer's public key), cut to 32
bytes. In the words of libsodium's crypto_kx the greeter is the client, which receives with this
key, and the claimer is the server, which sends with it.
"""

import nacl.bindings
import nacl.exceptions

from parsec.crypto.errors import KeyExchangeError
from parsec.crypto.keys import PrivateKey, PublicKey, SecretKey


def shared_key_as_greeter(private: PrivateKey, peer: PublicKey) -> SecretKey:
    """The shared key, computed by the greeter with the claimer's public key.

    Raises KeyExchangeError.
    """
    own = bytes(private.public_key)
    try:
        receive, _send = nacl.bindings.crypto_kx_client_session_keys(
            own, bytes(private), bytes(peer)
        )
    except nacl.exceptions.CryptoError as error:
        raise KeyExchangeError("the claimer's public key is of small order") from error
    return SecretKey(receive)


def shared_key_as_claimer(private: PrivateKey, peer: PublicKey) -> SecretKey:
    """The shared key, computed by the claimer with the greeter's public key.

    Raises KeyExchangeError.
    """
    own = bytes(private.public_key)
    try:
        _receive, send = nacl.bindings.crypto_kx_server_session_keys(
            own, bytes(private), bytes(peer)
        )
    except nacl.exceptions.CryptoError as error:
        raise KeyExchangeError("the greeter's public key is of small order") from error
    return SecretKey(send)
