"""Tries to take keys out of a PKCS#11 token, as a thief would who has its PIN: reads the value, then asks the token to wrap the
key under one that the thief knows. Arguments: library, token, PIN, label. Prints a JSON object for the key that is not public."""

import json
import sys

import PyKCS11 as p11

library, token, pin, label = sys.argv[1:]
module = p11.PyKCS11Lib()
module.load(library)
slot = next(slot for slot in module.getSlotList(tokenPresent=True) if module.getTokenInfo(slot).label.strip() == token)
session = module.openSession(slot, p11.CKF_SERIAL_SESSION | p11.CKF_RW_SESSION)
session.login(pin)


def attribute(key, kind):
    value = session.getAttributeValue(key, [kind])[0]
    return bytes(value).hex() if isinstance(value, tuple) else value


def wrapped(key):
    ours = [
        (p11.CKA_CLASS, p11.CKO_SECRET_KEY),
        (p11.CKA_KEY_TYPE, p11.CKK_AES),
        (p11.CKA_VALUE_LEN, 32),
        (p11.CKA_WRAP, True),
        (p11.CKA_TOKEN, False),
    ]
    try:
        return len(session.wrapKey(session.generateKey(ours), key, p11.Mechanism(p11.CKM_AES_KEY_WRAP_PAD)))
    except p11.PyKCS11Error as refused:
        return str(refused).split()[0]


found = session.findObjects([(p11.CKA_LABEL, label)])
key = next(key for key in found if session.getAttributeValue(key, [p11.CKA_CLASS])[0] != p11.CKO_PUBLIC_KEY)
outcome = {
    "sensitive": attribute(key, p11.CKA_SENSITIVE),
    "extractable": attribute(key, p11.CKA_EXTRACTABLE),
    "neverExtractable": attribute(key, p11.CKA_NEVER_EXTRACTABLE),
    "value": attribute(key, p11.CKA_VALUE),
    "wrapped": wrapped(key),
}
print(json.dumps(outcome))
