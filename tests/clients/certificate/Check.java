// Handshakes as Java's HTTPS clients make them. PORT NAME..., one line each.
import java.util.List;
import javax.net.ssl.SNIHostName;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;
import javax.net.ssl.SSLSocketFactory;

class Check {
    public static void main(String[] words) throws Exception {
        var factory = (SSLSocketFactory) SSLSocketFactory.getDefault();
        for (int at = 0; at < words.length; at += 2) {
            var name = words[at + 1];
            var plain = new java.net.Socket("127.0.0.1", Integer.parseInt(words[at]));
            try (var socket = (SSLSocket) factory.createSocket(plain, name, plain.getPort(), true)) {
                var parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                if (!name.matches("[0-9.]+")) {
                    parameters.setServerNames(List.of(new SNIHostName(name)));
                }
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                System.out.println("accepted");
            } catch (SSLException error) {
                Throwable cause = error;
                while (cause.getCause() != null) {
                    cause = cause.getCause();
                }
                System.out.println("refused: " + cause.getMessage());
            }
        }
    }
}
