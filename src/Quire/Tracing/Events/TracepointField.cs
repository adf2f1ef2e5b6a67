using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;

namespace Quire;

/// <summary>One field of an event as its format text says it: C type, name, place in the event.</summary>
/// <param name="Type">The C type.</param>
/// <param name="Name">The kernel's name, or one in its manner.</param>
/// <param name="Offset">Bytes from the event's first byte.</param>
/// <param name="Size">Bytes.</param>
/// <param name="IsSigned">Whether it is read as a signed number.</param>
/// <param name="IsText">Whether it holds the number of a text.</param>
internal sealed record TracepointField(string Type, string Name, int Offset, int Size, bool IsSigned, bool IsText)
{
    /// <summary>The fields of an event's struct behind its header, in their order.</summary>
    internal static TracepointField[] Of<[DynamicallyAccessedMembers(DynamicallyAccessedMemberTypes.PublicFields | DynamicallyAccessedMemberTypes.NonPublicFields)] T>(string[] hidden)
        where T : unmanaged =>
        [.. typeof(T).GetFields(BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)
            .Where(static field => field.FieldType != typeof(EventHeader))
            .Select(static field => Make(field, (int)Marshal.OffsetOf<T>(field.Name)))
            .Where(field => !hidden.Contains(field.Name))
            .OrderBy(static field => field.Offset)];

    private static TracepointField Make(FieldInfo field, int offset)
    {
        bool isText = field.GetCustomAttribute<TextAttribute>() is not null;
        (string type, int size, bool isSigned) = System.Type.GetTypeCode(field.FieldType) switch
        {
            TypeCode.UInt64 => ("unsigned long", 8, false),
            TypeCode.UInt32 => ("unsigned int", 4, false),
            TypeCode.Int32 => ("int", 4, true),
            _ => throw new NotSupportedException($"An event's field can't be a {field.FieldType}."),
        };
        type = isText ? "__data_loc char[]" : field.GetCustomAttribute<CTypeAttribute>()?.Type ?? type;
        return new TracepointField(type, SnakeCase(field.Name), offset, size, isSigned || isText, isText);
    }

    private static string SnakeCase(string name)
    {
        StringBuilder text = new();
        foreach (char c in name)
        {
            text.Append(char.IsUpper(c) && text.Length > 0 ? "_" : "").Append(char.ToLowerInvariant(c));
        }

        return text.ToString();
    }
}
