// How many authorities a key store holds for Java: TYPE FILE [PASSWORD].
import java.io.FileInputStream;
import java.security.KeyStore;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

class Stores {
    public static void main(String[] words) throws Exception {
        var store = KeyStore.getInstance(words[0]);
        try (var file = new FileInputStream(words[1])) {
            store.load(file, words.length > 2 ? words[2].toCharArray() : null);
        }
        var factory = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        factory.init(store);
        System.out.println(((X509TrustManager) factory.getTrustManagers()[0]).getAcceptedIssuers().length);
    }
}
