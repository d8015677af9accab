"""What the pages say, in each language."""

import msgspec

from parsec.server.rules.opened_link import LinkKind
from parsec.server.settings import Language


class PageText(msgspec.Struct, frozen=True, kw_only=True):
    """A page; `{organization}` stands for its name wherever a link names one."""

    title: str
    lead: str
    steps: tuple[str, ...] = ()
    caution: str | None = None


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """What pages about links have in common."""

    button: str
    steps: str
    nothing_happens: str
    terminal: str
    caution: str


FRAMES = {
    Language.EN: Frame(
        button="Open in the Parsec app",
        steps="What to do",
        nothing_happens="Nothing happens? Then no app on this device opens such links. Install "
        "one and press the button again, or copy the address of this page and paste it into the "
        "app.",
        terminal="In a terminal, with parsec-cli",
        caution="Did you not expect this?",
    ),
    Language.FR: Frame(
        button="Ouvrir dans l’application Parsec",
        steps="Que faire",
        nothing_happens="Il ne se passe rien\u00a0? C’est qu’aucune application de cet appareil "
        "n’ouvre ces liens. Installez-en une et appuyez de nouveau sur le bouton, ou copiez "
        "l’adresse de cette page et collez-la dans l’application.",
        terminal="Dans un terminal, avec parsec-cli",
        caution="Vous ne vous y attendiez pas\u00a0?",
    ),
}

LANDING = {
    Language.EN: PageText(
        title="Parsec server",
        lead="This is a Parsec server, and it runs. There is nothing to see here: it is reached "
        "with a Parsec app, or with parsec-cli.",
    ),
    Language.FR: PageText(
        title="Serveur Parsec",
        lead="Ce serveur Parsec fonctionne. Il n’y a rien à voir ici\u00a0: on y accède avec une "
        "application Parsec, ou avec parsec-cli.",
    ),
}

NOT_FOUND = {
    Language.EN: PageText(
        title="Not found",
        lead="There is nothing at this address. If somebody sent it to you, look whether it was "
        "copied as a whole.",
    ),
    Language.FR: PageText(
        title="Page introuvable",
        lead="Il n’y a rien à cette adresse. Si quelqu’un vous l’a envoyée, vérifiez qu’elle a "
        "été copiée en entier.",
    ),
}

_INSTALL_EN = (
    "Install a Parsec app if this device has none. Whoever sent you the link knows where your "
    "organization gets it."
)
_OPEN_EN = "Press the button above, and allow the browser to open the app if it asks."
_INSTALL_FR = (
    "Installez une application Parsec si cet appareil n’en a pas. La personne qui vous a envoyé "
    "le lien sait où votre organisation se la procure."
)
_OPEN_FR = (
    "Appuyez sur le bouton ci-dessus, et autorisez le navigateur à ouvrir l’application s’il le "
    "demande."
)

LINKS: dict[Language, dict[LinkKind, PageText]] = {
    Language.EN: {
        LinkKind.USER_INVITATION: PageText(
            title="You are invited to {organization}",
            lead="This link lets you become a member of the organization {organization} on Parsec.",
            steps=(
                _INSTALL_EN,
                _OPEN_EN,
                (
                    "Have the person who invited you on the phone, or beside you. You compare "
                    "short codes with each other, so that nobody can slip in between."
                ),
            ),
            caution="If you do not know who invited you, close this page. The link is for you "
            "alone: do not pass it on.",
        ),
        LinkKind.DEVICE_INVITATION: PageText(
            title="A new device for {organization}",
            lead="This link adds a device to your account in the organization {organization}.",
            steps=(
                "Open this page on the new device, and install a Parsec app there if it has none.",
                _OPEN_EN,
                (
                    "Keep a device at hand on which you are logged in already: the two devices "
                    "show short codes for you to compare."
                ),
            ),
            caution="If you did not ask for a new device, close this page and cancel the "
            "invitation on a device of yours.",
        ),
        LinkKind.SHAMIR_RECOVERY_INVITATION: PageText(
            title="Back into {organization}",
            lead="This link gives you back your account in the organization {organization}, with "
            "the help of the colleagues whom you once chose for that.",
            steps=(
                _INSTALL_EN,
                _OPEN_EN,
                (
                    "Call these colleagues one after the other. With each of them you compare "
                    "short codes, and each gives you a share, until there are enough."
                ),
            ),
            caution="If you have not lost your devices, close this page and warn the colleague "
            "who invited you.",
        ),
        LinkKind.BOOTSTRAP: PageText(
            title="The organization {organization} waits for you",
            lead="This link makes you the first member and administrator of the new organization "
            "{organization}.",
            steps=(
                _INSTALL_EN,
                _OPEN_EN,
                (
                    "Once you are in, invite a second administrator, and keep a recovery file in a "
                    "safe place."
                ),
            ),
            caution="Whoever opens this link first owns the organization: do not pass it on.",
        ),
        LinkKind.TOTP_RESET: PageText(
            title="New one-time codes for {organization}",
            lead="This link sets up your one-time codes (MFA) in the organization {organization} "
            "anew.",
            steps=(
                "Take the phone with your authenticator app.",
                "Use a device on which you open {organization}. " + _OPEN_EN,
                (
                    "Add the new secret to the authenticator, remove the old one, and confirm with "
                    "a code."
                ),
            ),
            caution="Whoever has this link can choose your codes: do not pass it on. If you did "
            "not ask for a reset, tell the administrators of the server.",
        ),
        LinkKind.ENROLLMENT: PageText(
            title="Ask to join {organization}",
            lead="With this link you ask the administrators of the organization {organization} to "
            "let you in.",
            steps=(
                _INSTALL_EN,
                _OPEN_EN,
                "Wait for an administrator to accept your request in the app.",
            ),
            caution="If you do not know the organization, close this page.",
        ),
        LinkKind.WORKSPACE_PATH: PageText(
            title="A file in {organization}",
            lead="This link leads to a file or folder of the organization {organization}. Only "
            "members with whom it is shared can open it.",
            steps=("Use a device on which you are a member of {organization}.", _OPEN_EN),
        ),
        LinkKind.ADDRESS: PageText(
            title="A Parsec address",
            lead="This address leads to a Parsec server. There is nothing to see here: it is for "
            "a Parsec app.",
            steps=(_INSTALL_EN, _OPEN_EN),
        ),
        LinkKind.UNKNOWN: PageText(
            title="This link is not complete",
            lead="The link seems to have been cut off on its way, or it is of a kind that this "
            "server does not know.",
            steps=(
                (
                    "Look at the message that it came with: the link may go on in the next line. "
                    "Copy all of it."
                ),
                "If that does not help, ask for a new one.",
                (
                    "If you are sure that it is whole, an app of a newer version may open it: "
                    "press the button above."
                ),
            ),
        ),
    },
    Language.FR: {
        LinkKind.USER_INVITATION: PageText(
            title="Vous êtes invité·e dans {organization}",
            lead="Ce lien vous permet de devenir membre de l’organisation {organization} sur "
            "Parsec.",
            steps=(
                _INSTALL_FR,
                _OPEN_FR,
                (
                    "Ayez au téléphone, ou à vos côtés, la personne qui vous a invité·e. Vous "
                    "comparez ensemble des codes courts, pour que personne ne puisse s’interposer."
                ),
            ),
            caution="Si vous ne connaissez pas cette personne, fermez cette page. Le lien est "
            "pour vous seul·e\u00a0: ne le transmettez pas.",
        ),
        LinkKind.DEVICE_INVITATION: PageText(
            title="Un nouvel appareil pour {organization}",
            lead="Ce lien ajoute un appareil à votre compte dans l’organisation {organization}.",
            steps=(
                (
                    "Ouvrez cette page sur le nouvel appareil, et installez-y une application "
                    "Parsec s’il n’en a pas."
                ),
                _OPEN_FR,
                (
                    "Gardez à portée de main un appareil où vous êtes déjà connecté·e\u00a0: les "
                    "deux appareils affichent des codes courts à comparer."
                ),
            ),
            caution="Si vous n’avez pas demandé de nouvel appareil, fermez cette page et annulez "
            "l’invitation sur l’un des vôtres.",
        ),
        LinkKind.SHAMIR_RECOVERY_INVITATION: PageText(
            title="De retour dans {organization}",
            lead="Ce lien vous rend votre compte dans l’organisation {organization}, avec l’aide "
            "des collègues que vous aviez choisis pour cela.",
            steps=(
                _INSTALL_FR,
                _OPEN_FR,
                (
                    "Appelez ces collègues l’un après l’autre. Avec chacun, vous comparez des "
                    "codes courts, et chacun vous remet une part, jusqu’à ce qu’il y en ait assez."
                ),
            ),
            caution="Si vous n’avez pas perdu vos appareils, fermez cette page et prévenez le ou "
            "la collègue qui vous a invité·e.",
        ),
        LinkKind.BOOTSTRAP: PageText(
            title="L’organisation {organization} vous attend",
            lead="Ce lien fait de vous le premier membre et l’administrateur de la nouvelle "
            "organisation {organization}.",
            steps=(
                _INSTALL_FR,
                _OPEN_FR,
                (
                    "Une fois à l’intérieur, invitez un second administrateur, et gardez un "
                    "fichier de récupération en lieu sûr."
                ),
            ),
            caution="Qui ouvre ce lien en premier possède l’organisation\u00a0: ne le transmettez "
            "pas.",
        ),
        LinkKind.TOTP_RESET: PageText(
            title="De nouveaux codes à usage unique pour {organization}",
            lead="Ce lien permet de configurer à nouveau vos codes à usage unique (MFA) dans "
            "l’organisation {organization}.",
            steps=(
                "Prenez le téléphone où se trouve votre application d’authentification.",
                "Utilisez un appareil sur lequel vous ouvrez {organization}. " + _OPEN_FR,
                (
                    "Ajoutez le nouveau secret à l’application d’authentification, retirez "
                    "l’ancien, et confirmez avec un code."
                ),
            ),
            caution="Qui possède ce lien peut choisir vos codes\u00a0: ne le transmettez pas. Si "
            "vous n’avez pas demandé de réinitialisation, prévenez les administrateurs du serveur.",
        ),
        LinkKind.ENROLLMENT: PageText(
            title="Demander à rejoindre {organization}",
            lead="Avec ce lien, vous demandez aux administrateurs de l’organisation "
            "{organization} de vous y admettre.",
            steps=(
                _INSTALL_FR,
                _OPEN_FR,
                "Attendez qu’un administrateur accepte votre demande dans l’application.",
            ),
            caution="Si vous ne connaissez pas cette organisation, fermez cette page.",
        ),
        LinkKind.WORKSPACE_PATH: PageText(
            title="Un fichier dans {organization}",
            lead="Ce lien mène à un fichier ou à un dossier de l’organisation {organization}. "
            "Seuls les membres avec qui il est partagé peuvent l’ouvrir.",
            steps=(
                "Utilisez un appareil sur lequel vous êtes membre de {organization}.",
                _OPEN_FR,
            ),
        ),
        LinkKind.ADDRESS: PageText(
            title="Une adresse Parsec",
            lead="Cette adresse mène à un serveur Parsec. Il n’y a rien à voir ici\u00a0: elle est "
            "destinée à une application Parsec.",
            steps=(_INSTALL_FR, _OPEN_FR),
        ),
        LinkKind.UNKNOWN: PageText(
            title="Ce lien est incomplet",
            lead="Le lien semble avoir été coupé en chemin, ou il est d’une sorte que ce serveur "
            "ne connaît pas.",
            steps=(
                (
                    "Regardez le message qui le contenait\u00a0: le lien continue peut-être à la "
                    "ligne suivante. Copiez-le en entier."
                ),
                "Si cela ne suffit pas, demandez-en un nouveau.",
                (
                    "Si vous êtes sûr·e qu’il est entier, une application plus récente l’ouvrira "
                    "peut-être\u00a0: appuyez sur le bouton ci-dessus."
                ),
            ),
        ),
    },
}
