using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Quire.Samples.UdpRelay;

/// <summary>Reads how many datagrams the kernel threw away because a socket's receive buffer was full: losses the relay never saw.</summary>
internal static class KernelDrops
{
    private const int SolSocket = 1;
    private const int SoMemInfo = 55;

    // The last of nine 32-bit numbers that SO_MEMINFO gives (linux/sock_diag.h, SK_MEMINFO_DROPS).
    private const int DropsIndex = 8;

    /// <summary>The socket's drops since it was opened; 0 where the system has no such number (it is Linux only).</summary>
    internal static uint Read(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        Span<byte> numbers = stackalloc byte[(DropsIndex + 1) * sizeof(uint)];
        numbers.Clear();
        try
        {
            int written = socket.GetRawSocketOption(SolSocket, SoMemInfo, numbers);
            return written == numbers.Length ? MemoryMarshal.Cast<byte, uint>(numbers)[DropsIndex] : 0;
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            return 0;
        }
    }
}
