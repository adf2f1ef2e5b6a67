using System.Runtime.CompilerServices;

namespace Quire;

/// <content>The data on its way out.</content>
public readonly unsafe partial struct PacketBuffer
{
    /// <summary>Copies all data, head and fragments (<c>skb_copy_bits</c>).</summary>
    /// <exception cref="PacketBugException">The packet is gone.</exception>
    /// <exception cref="ArgumentException">The destination is shorter than <see cref="Length"/>.</exception>
    public void CopyTo(Span<byte> destination, [CallerFilePath] string file = "", [CallerLineNumber] int line = 0, [CallerMemberName] string member = "")
    {
        PacketBody body = Body("CopyTo", file, line, member);
        if (destination.Length < body.Total)
        {
            throw new ArgumentException($"The packet has {body.Total} bytes, the destination {destination.Length}.", nameof(destination));
        }

        body.CopyTo(destination, body.Total);
    }
}
