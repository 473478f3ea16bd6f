"""What the audit says: text, JSON, SARIF, JUnit and HTML, of the same document.

A `results.Report` is made a `document.Document` first: in one language, and with every
string made `harmless`, because banners and replies come from servers that may be
hostile. Every format is written from that document alone and can be told nothing else.

Each format is one function of its module's name: ``text.text``,
``json_report.json_report``, ``sarif.sarif``, ``junit.junit``, ``html.html``. All take
the report and the language, and give the whole as `str`. ``outcome.exit_code`` says
with which code the command ends, ``baseline`` what has changed since another run.
"""
