#!/usr/bin/env python3
"""Takes mail on port 25 and writes it to a file: FILE."""
import socketserver
import sys


class Dialogue(socketserver.StreamRequestHandler):
    def handle(self):
        self.say('220 mailbox')
        letter = None
        for line in self.rfile:
            text = line.decode('utf-8', 'replace').rstrip('\r\n')
            if letter is not None:
                letter.append(text)
                if text == '.':
                    with open(sys.argv[1], 'a') as file:
                        file.write('\n'.join(letter) + '\n')
                    letter = None
                    self.say('250 taken')
            elif text.upper() == 'DATA':
                letter = []
                self.say('354 go on')
            elif text.upper() == 'QUIT':
                return self.say('221 bye')
            else:
                self.say('250 ok')

    def say(self, text):
        self.wfile.write(text.encode() + b'\r\n')


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


Server(('0.0.0.0', 25), Dialogue).serve_forever()
